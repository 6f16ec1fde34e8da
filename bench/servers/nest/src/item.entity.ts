import {
  Column,
  CreateDateColumn,
  Entity,
  Index,
  JoinColumn,
  ManyToOne,
  PrimaryGeneratedColumn,
  UpdateDateColumn,
} from "typeorm";

import { User } from "./user.entity.js";

@Entity("items")
@Index(["owner_id", "created_at", "id"])
export class Item {
  @PrimaryGeneratedColumn("uuid")
  id: string;

  @Column({ type: "uuid", select: false })
  owner_id: string;

  @ManyToOne(() => User, { onDelete: "CASCADE" })
  @JoinColumn({ name: "owner_id" })
  owner: User;

  @Column({ length: 120 })
  title: string;

  @Column({ type: "varchar", length: 2000, nullable: true })
  body: string | null;

  @Column({ length: 16, default: "draft" })
  status: string;

  @Column({ type: "date", nullable: true })
  due_on: string | null;

  @CreateDateColumn({ type: "timestamptz" })
  created_at: Date;

  @UpdateDateColumn({ type: "timestamptz" })
  updated_at: Date;
}
