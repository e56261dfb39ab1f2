"""Rules as tasks of published collections, whose check is TrueStep's bound.

torch_lines.py writes a reference's lines as plain torch, and tasks.py the files around them, from
the templates in reports/templates/tasks.
"""
