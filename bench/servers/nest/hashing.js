import bcrypt from "bcrypt";

import { main } from "./timing.js";

// As many rounds as Nest's page on hashing has.
await main((password) => bcrypt.hash(password, 10), bcrypt.compare);
