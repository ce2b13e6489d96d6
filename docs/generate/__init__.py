"""Pages that are made of declarations: methods, datasets, tasks, commands; and sections of files outside of ``docs``.

Everything here returns Markdown and needs no mkdocs; :mod:`docs.generate.hook` hands it to mkdocs.
"""
