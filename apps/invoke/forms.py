"""What people type on the call page."""

from django import forms


class NewKeyForm(forms.Form):
    name = forms.CharField(max_length=80, strip=True, error_messages={"required": "Say what will use the key."})


class TryTextForm(forms.Form):
    """Stripped of nothing: what is tried is what would be sent."""

    text = forms.CharField(strip=False, error_messages={"required": "Type a text to try."})


class TryPictureForm(forms.Form):
    picture = forms.FileField(
        error_messages={"required": "Choose a picture to try.", "empty": "This file is empty. Choose another one."}
    )
