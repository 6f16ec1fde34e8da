from rest_framework import generics
from rest_framework.pagination import CursorPagination

from items.models import Item
from items.serializers import ItemSerializer, UserSerializer


class Me(generics.RetrieveAPIView):
    serializer_class = UserSerializer

    def get_object(self):
        return self.request.user


class NewestFirst(CursorPagination):
    """The style that its page recommends for large sets: it counts nothing."""

    page_size = 20
    page_size_query_param = "limit"
    max_page_size = 100
    ordering = "-created_at"


class ItemList(generics.ListCreateAPIView):
    serializer_class = ItemSerializer
    pagination_class = NewestFirst

    def get_queryset(self):
        return Item.objects.filter(owner=self.request.user)

    def perform_create(self, serializer):
        serializer.save(owner=self.request.user)
