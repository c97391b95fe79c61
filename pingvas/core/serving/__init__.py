"""What stands between a socket and the application: no thread waits for a client.

`clients` says who it is, `door` counts and logs, `bodies` reads what is sent, `holds`
keeps bytes that wait, `pace` says how slow a client may be, `routes` leads to handlers
on the event loop, and `refusals` answers what none of them let through.
"""
