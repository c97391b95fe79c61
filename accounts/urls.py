from __future__ import annotations

from django.urls import path

from accounts import views

app_name = "accounts"
urlpatterns = [
    path("sign-up", views.SignUpPage.as_view(), name="sign-up"),
    path("sign-in", views.SignInPage.as_view(), name="sign-in"),
    path("sign-out", views.SignOutView.as_view(), name="sign-out"),
]
