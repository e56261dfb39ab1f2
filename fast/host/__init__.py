"""The backend's own process: it loads a backend, and answers the calls of a judge in another one.

Between the two only plain data passes, as `messages` says; nothing from here is ever unpickled.
"""
