from django.conf import settings
from django.db import models


class Item(models.Model):
    class Status(models.TextChoices):
        DRAFT = "draft"
        LIVE = "live"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    title = models.CharField(max_length=120)
    body = models.TextField(max_length=2000, null=True, blank=True)
    status = models.CharField(max_length=16, choices=Status, default=Status.DRAFT)
    due_on = models.DateField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [models.Index(fields=["owner", "-created_at"])]
