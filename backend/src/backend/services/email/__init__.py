# check: allow BK101: no client calls it; the mailbox of development has its pages in mailbox.py
