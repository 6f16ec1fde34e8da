import "reflect-metadata";

import { DataSource } from "typeorm";

import { database } from "./database.js";

const source = await new DataSource(database).initialize();
await source.synchronize();
await source.destroy();
