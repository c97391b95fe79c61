"""GET /credits, /credits/transactions and /plans."""

from __future__ import annotations

from typing import ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import UserRequest
from billing.api.serializers import (
    CreditsSerializer,
    PlanSerializer,
    TransactionSerializer,
)
from billing.models import CreditTransaction
from billing.plans import plans
from billing.selectors import transactions_for, with_public_notes
from billing.services.grants import read_balance
from pingvas.core.api.pagination import KeyPagination


class CreditsView(APIView):
    @extend_schema(
        operation_id="credits_read",
        summary="Your credits",
        responses={200: CreditsSerializer},
        tags=["credits"],
    )
    def get(self, request: UserRequest) -> Response:
        """Balance, holds and what is available. Grants the free month if it is due."""
        summary = read_balance(user_id=request.user.id)
        return Response(CreditsSerializer(summary).data)


class NewestFirst(KeyPagination):
    """A user's postings have a sequence without gaps: the key and the order at once."""

    order: ClassVar[tuple[str, ...]] = ("-sequence",)


class TransactionListView(ListAPIView[CreditTransaction]):
    request: UserRequest
    serializer_class = TransactionSerializer
    pagination_class = NewestFirst
    queryset = CreditTransaction.objects.none()

    @extend_schema(
        operation_id="credits_transactions_list",
        summary="Your credit transactions, newest first",
        responses={200: TransactionSerializer(many=True)},
        tags=["credits"],
    )
    def get(self, request: Request) -> Response:
        return self.list(request)

    def get_queryset(self) -> QuerySet[CreditTransaction]:
        return with_public_notes(transactions_for(self.request.user.id))


class PlanListView(APIView):
    """Open to everybody: prices are read before signing up."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="plans_list",
        summary="Every plan, cheapest first",
        responses={200: PlanSerializer(many=True)},
        tags=["plans"],
    )
    def get(self, request: Request) -> Response:
        return Response(PlanSerializer(plans(), many=True).data)
