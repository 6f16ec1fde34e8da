import "reflect-metadata";

import { Module, ValidationPipe } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { TypeOrmModule } from "@nestjs/typeorm";

import { AuthModule } from "./auth.js";
import { database } from "./database.js";
import { ItemsModule } from "./items.js";

@Module({ imports: [TypeOrmModule.forRoot(database), AuthModule, ItemsModule] })
class AppModule {}

const app = await NestFactory.create(AppModule);
app.useGlobalPipes(new ValidationPipe({ transform: true, whitelist: true }));
await app.listen(Number(process.env.PORT), "127.0.0.1");
