from django.contrib.auth.models import User
from rest_framework import serializers

from items.models import Item


class UserSerializer(serializers.ModelSerializer):
    class Meta:
        model = User
        fields = ["id", "email", "first_name", "is_active", "is_superuser", "date_joined"]


class ItemSerializer(serializers.ModelSerializer):
    class Meta:
        model = Item
        fields = ["id", "title", "body", "status", "due_on", "created_at", "updated_at"]
