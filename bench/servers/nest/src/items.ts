import {
  Body,
  Controller,
  Get,
  Injectable,
  Module,
  Post,
  Query,
  Request,
  UseGuards,
} from "@nestjs/common";
import { InjectRepository, TypeOrmModule } from "@nestjs/typeorm";
import { Type } from "class-transformer";
import { IsDateString, IsIn, IsInt, IsOptional, IsString, Length, Max, MaxLength, Min } from "class-validator";
import { Repository } from "typeorm";

import { JwtAuthGuard } from "./auth.js";
import { Item } from "./item.entity.js";
import { User } from "./user.entity.js";

export class CreateItemDto {
  @IsString()
  @Length(1, 120)
  title: string;

  @IsOptional()
  @IsString()
  @MaxLength(2000)
  body?: string;

  @IsOptional()
  @IsIn(["draft", "live"])
  status?: string;

  @IsOptional()
  @IsDateString({ strict: true })
  due_on?: string;
}

export class PageDto {
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(100)
  limit = 20;

  @Type(() => Number)
  @IsInt()
  @Min(0)
  offset = 0;
}

@Injectable()
export class ItemsService {
  constructor(@InjectRepository(Item) private items: Repository<Item>) {}

  create(ownerId: string, data: CreateItemDto): Promise<Item> {
    return this.items.save(this.items.create({ ...data, owner_id: ownerId }));
  }

  findPage(ownerId: string, page: PageDto): Promise<Item[]> {
    return this.items.find({
      where: { owner_id: ownerId },
      order: { created_at: "DESC", id: "DESC" },
      take: page.limit,
      skip: page.offset,
    });
  }
}

@UseGuards(JwtAuthGuard)
@Controller("items")
export class ItemsController {
  constructor(private itemsService: ItemsService) {}

  @Post()
  create(@Request() req: { user: User }, @Body() data: CreateItemDto) {
    return this.itemsService.create(req.user.id, data);
  }

  @Get()
  findPage(@Request() req: { user: User }, @Query() page: PageDto) {
    return this.itemsService.findPage(req.user.id, page);
  }
}

@Module({
  imports: [TypeOrmModule.forFeature([Item])],
  controllers: [ItemsController],
  providers: [ItemsService],
})
export class ItemsModule {}
