import {
  Body,
  Controller,
  Get,
  HttpCode,
  Injectable,
  Module,
  Post,
  Request,
  UnauthorizedException,
  UseGuards,
} from "@nestjs/common";
import { JwtModule, JwtService } from "@nestjs/jwt";
import { AuthGuard, PassportModule, PassportStrategy } from "@nestjs/passport";
import { InjectRepository, TypeOrmModule } from "@nestjs/typeorm";
import bcrypt from "bcrypt";
import { IsString } from "class-validator";
import { ExtractJwt, Strategy } from "passport-jwt";
import { Repository } from "typeorm";

import { User } from "./user.entity.js";

export class SignInDto {
  @IsString()
  email: string;

  @IsString()
  password: string;
}

@Injectable()
export class AuthService {
  constructor(
    @InjectRepository(User) private users: Repository<User>,
    private jwtService: JwtService,
  ) {}

  async signIn({ email, password }: SignInDto): Promise<{ access_token: string }> {
    const user = await this.users.findOne({ where: { email }, select: { id: true, password: true } });
    if (!user || !(await bcrypt.compare(password, user.password))) {
      throw new UnauthorizedException();
    }
    return { access_token: await this.jwtService.signAsync({ sub: user.id }) };
  }
}

@Injectable()
export class JwtStrategy extends PassportStrategy(Strategy) {
  constructor(@InjectRepository(User) private users: Repository<User>) {
    super({
      jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
      ignoreExpiration: false,
      secretOrKey: process.env.SECRET!,
    });
  }

  async validate(payload: { sub: string }): Promise<User> {
    const user = await this.users.findOneBy({ id: payload.sub, is_active: true });
    if (!user) {
      throw new UnauthorizedException();
    }
    return user;
  }
}

@Injectable()
export class JwtAuthGuard extends AuthGuard("jwt") {}

@Controller()
export class AuthController {
  constructor(private authService: AuthService) {}

  @HttpCode(200)
  @Post("auth/login")
  signIn(@Body() signInDto: SignInDto) {
    return this.authService.signIn(signInDto);
  }

  @UseGuards(JwtAuthGuard)
  @Get("profile")
  getProfile(@Request() req: { user: User }) {
    return req.user;
  }
}

@Module({
  imports: [
    TypeOrmModule.forFeature([User]),
    PassportModule,
    JwtModule.register({ secret: process.env.SECRET, signOptions: { expiresIn: "12h" } }),
  ],
  controllers: [AuthController],
  providers: [AuthService, JwtStrategy],
})
export class AuthModule {}
