"""Mounted at /api/v1/."""

from __future__ import annotations

from django.urls import path

from billing.api import views

app_name = "billing-api"
urlpatterns = [
    path("credits", views.CreditsView.as_view(), name="credits"),
    path(
        "credits/transactions",
        views.TransactionListView.as_view(),
        name="credits-transactions",
    ),
    path("plans", views.PlanListView.as_view(), name="plans"),
]
