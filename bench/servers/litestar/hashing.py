from pwdlib.hashers.argon2 import Argon2Hasher
from timing import main

hasher = Argon2Hasher()
main(hasher.hash, hasher.verify)
