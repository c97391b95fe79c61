from __future__ import annotations

from django.urls import path

from generation.api import views
from generation.api.picture_settings import PictureSettingsView

app_name = "generation-api"
urlpatterns = [
    path("images/settings", PictureSettingsView.as_view(), name="picture-settings"),
    path("jobs", views.JobsView.as_view(), name="jobs"),
    path("jobs/quote", views.QuoteView.as_view(), name="quote"),
    path("jobs/<uuid:job_id>", views.JobView.as_view(), name="job"),
    path("jobs/<uuid:job_id>/cancel", views.CancelView.as_view(), name="cancel"),
    path("jobs/<uuid:job_id>/retry", views.RetryView.as_view(), name="retry"),
    path("jobs/<uuid:job_id>/receipt", views.ReceiptView.as_view(), name="receipt"),
    path("submissions", views.SubmissionsView.as_view(), name="submissions"),
    path(
        "submissions/<uuid:submission_id>",
        views.SubmissionView.as_view(),
        name="submission",
    ),
    path(
        "submissions/<uuid:submission_id>/cancel",
        views.CancelSubmissionView.as_view(),
        name="cancel-submission",
    ),
    path(
        "submissions/<uuid:submission_id>/receipt",
        views.SubmissionReceiptView.as_view(),
        name="submission-receipt",
    ),
    path("jobs/<uuid:job_id>/preview", views.PreviewView.as_view(), name="preview"),
]
