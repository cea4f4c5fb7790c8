"""What holds for all tests."""

import signal

# A job in the background of a shell has SIGINT ignored, and whatever it starts inherits that: then
# neither this process nor a server under test would hear the Ctrl-C that a test sends.
signal.signal(signal.SIGINT, signal.default_int_handler)
