"""What a picture is asked for: the one definition that every other one is made from.

Plain Python: the web's forms and API, the queue, the files' metadata and the engine
use it alike, and none of them is known here.
"""
