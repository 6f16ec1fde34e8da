# check: allow BK101: no client calls it; the mailbox of development has its pages in mailbox.py
# check: allow BK801: tests/behaviours/test_mail.py has its tests, by what they promise
