from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from timing import main

settings.configure()
main(make_password, check_password)
