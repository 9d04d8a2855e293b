"""Runs a program that has a terminal, and answers what it asks there.

terminal.py PROMPT ANSWER [PROMPT ANSWER]... -- PROGRAM [WORD...]

Only /dev/tty is that terminal; standard output stays what it is. What appears
on the terminal goes to standard output as well. Ends with the program's code;
SIGTERM and SIGINT are passed on.
"""
import fcntl
import os
import select
import signal
import subprocess
import sys
import termios


def echoes(terminal: int) -> bool:
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)


def main() -> int:
    split = sys.argv.index("--")
    words = sys.argv[1:split]
    questions = list(zip(words[::2], words[1::2]))
    master, slave = os.openpty()

    def own_terminal():
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

    program = subprocess.Popen(
        sys.argv[split + 1:],
        stdin=subprocess.DEVNULL,
        preexec_fn=own_terminal,
    )
    # The slave stays open here as well, or its last close would hang up before
    # the program opens /dev/tty.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda n, _: program.send_signal(n))
    shown = b""
    while program.poll() is None:
        ready, _, _ = select.select([master], [], [], 0.01)
        if ready:
            piece = os.read(master, 4096)
            os.write(1, piece)
            shown += piece
        if questions and questions[0][0].encode() in shown:
            # Switching the echo off throws away what was typed before.
            if "assword" in questions[0][0] and echoes(slave):
                continue
            os.write(master, questions.pop(0)[1].encode() + b"\n")
            shown = b""
    code = program.returncode
    return 128 - code if code < 0 else code


sys.exit(main())
