import { hashPassword, verifyPassword } from "better-auth/crypto";

import { main } from "./timing.js";

await main(hashPassword, (password, hash) => verifyPassword({ password, hash }));
