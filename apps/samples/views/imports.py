"""One import: check how it is read, start it, watch it, take its problems home."""

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from apps.functions.models import InputKind
from apps.samples import exports, selectors
from apps.samples.forms import DELIMITER_NAMES, FoldersForm, LayoutForm, valid
from apps.samples.models import Import, ImportFormat, ImportState
from apps.samples.reading.encodings import CHOICES
from apps.samples.services import imports
from apps.samples.views.downloads import download
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action

DELIMITER_WORDS = {
    "comma": "Commas",
    "semicolon": "Semicolons",
    "tab": "Tabs",
    "bar": "Bars ( | )",
    "none": "Nothing: one text a line",
}
SEPARATOR_WORDS = {
    "any": "Commas, semicolons or bars",
    "comma": "Commas",
    "semicolon": "Semicolons",
    "bar": "Bars ( | )",
    "none": "Nothing: one tag a row",
}


@require_GET
@requires(Action.BRING_SAMPLES)
def import_page(request: AppHttpRequest, import_id: str) -> HttpResponse:
    job = request.access.fetch(Import, import_id)
    return render(request, "samples/import_page.html", _context(job))


@require_POST
@requires(Action.BRING_SAMPLES)
def check_import(request: AppHttpRequest, import_id: str) -> HttpResponse:
    """Show the preview as it looks with what is chosen now."""
    job = request.access.fetch(Import, import_id)
    _choose(request, job)
    return render(request, "samples/_preview.html", _context(job))


@require_POST
@requires(Action.BRING_SAMPLES)
def start_import(request: AppHttpRequest, import_id: str) -> HttpResponse:
    """Start, unless a last change gave new columns: those a person sees first."""
    job = request.access.fetch(Import, import_id)
    if _choose(request, job):
        imports.start_import(import_job=job)
    return redirect(job)


@require_POST
@requires(Action.BRING_SAMPLES)
def discard_import(request: AppHttpRequest, import_id: str) -> HttpResponse:
    job = request.access.fetch(Import, import_id)
    imports.discard_import(import_job=job)
    return redirect("samples:bring_page", job.function.public_id)


@require_POST
@requires(Action.BRING_SAMPLES)
def stop_import(request: AppHttpRequest, import_id: str) -> HttpResponse:
    job = imports.stop_import(import_job=request.access.fetch(Import, import_id))
    return render(request, "samples/_import.html", {"import": job})


@require_GET
@requires(Action.BRING_SAMPLES)
def import_progress(request: AppHttpRequest, import_id: str) -> HttpResponse:
    return render(request, "samples/_import.html", {"import": request.access.fetch(Import, import_id)})


@require_GET
@requires(Action.BRING_SAMPLES)
def import_problems(request: AppHttpRequest, import_id: str) -> StreamingHttpResponse:
    job = request.access.fetch(Import, import_id)
    return download(exports.problem_chunks(selectors.problem_rows(job)), name="problems.csv", content_type="text/csv")


def _choose(request: AppHttpRequest, job: Import) -> bool:
    if job.format == ImportFormat.ZIP:
        data = valid(FoldersForm(request.POST)).cleaned_data
        imports.choose_folders(import_job=job, use_folders=data["use_folders"], label_for_all=data["label_for_all"])
        return True
    form = valid(LayoutForm(request.POST))
    if form.cleaned_data["sheet"] and imports.choose_sheet(import_job=job, name=form.cleaned_data["sheet"]):
        return False
    return imports.choose_layout(import_job=job, choice=form.choice())


def _context(job: Import) -> dict[str, object]:
    context: dict[str, object] = {
        "function": job.function,
        "tab": "bring",
        "import": job,
        "is_image": job.function.input_kind == InputKind.IMAGE,
        "labels": job.function.labels.in_use(),
        "problems": job.problems.filter(is_refused=True)[: selectors.PROBLEMS_SHOWN],
        "notes": job.problems.filter(is_refused=False)[: selectors.PROBLEMS_SHOWN],
        "n_notes": job.problems.filter(is_refused=False).count(),
    }
    if job.state == ImportState.PREVIEW:
        context |= _preview(job)
    return context


def _preview(job: Import) -> dict[str, object]:
    if job.format == ImportFormat.ZIP:
        return {"preview": selectors.zip_preview(job)}
    is_image = job.function.input_kind == InputKind.IMAGE
    return {
        "preview": selectors.table_preview(job),
        "content_words": "What names the picture" if is_image else "The text",
        "delimiters": [(name, words, DELIMITER_NAMES[name]) for name, words in DELIMITER_WORDS.items()],
        "encodings": list(CHOICES.items()),
        "separators": SEPARATOR_WORDS.items(),
        "lines": selectors.column_lines(job) if job.function.input_kind == InputKind.TABLE else [],
    }
