from __future__ import annotations

from django.urls import path

from accounts.api import views

urlpatterns = [
    path("auth/signup", views.SignUpView.as_view()),
    path("auth/token", views.TokenView.as_view()),
    path("auth/token/refresh", views.TokenRefreshView.as_view()),
    path("auth/logout", views.LogoutView.as_view()),
    path("auth/ws-ticket", views.WsTicketView.as_view()),
    path("me", views.MeView.as_view()),
]
