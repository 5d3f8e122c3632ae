"""Write the parts of docs/ that are made from the code: `make docs`."""

from tests.references.pages import made_pages

for path, text in made_pages().items():
    path.write_text(text, encoding="utf-8")
