"""Stands in for systemd-resolved: writes down who calls what.

resolve1.py        the bus is the one DBUS_SYSTEM_BUS_ADDRESS names

One line for each call: the method, its link and its other arguments. Says
"listening" once it has its name. Written for Debian's python3-dbus.
"""
import socket

import dbus
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

INTERFACE = "org.freedesktop.resolve1.Manager"


def address(octets) -> str:
    kind = socket.AF_INET if len(octets) == 4 else socket.AF_INET6
    return socket.inet_ntop(kind, bytes(octets))


def say(method: str, link: int, *words: str) -> None:
    print(method, int(link), *words, flush=True)


class Manager(dbus.service.Object):
    @dbus.service.method(INTERFACE, in_signature="ia(iayqs)")
    def SetLinkDNSEx(self, link, servers):
        say("SetLinkDNSEx", link,
            *(f"{address(o)}|{int(port)}|{name}" for _, o, port, name in servers))

    @dbus.service.method(INTERFACE, in_signature="ia(iay)")
    def SetLinkDNS(self, link, servers):
        say("SetLinkDNS", link, *(address(octets) for _, octets in servers))

    @dbus.service.method(INTERFACE, in_signature="ia(sb)")
    def SetLinkDomains(self, link, domains):
        say("SetLinkDomains", link,
            *(("~" if routing else "") + name for name, routing in domains))

    @dbus.service.method(INTERFACE, in_signature="ib")
    def SetLinkDefaultRoute(self, link, yes):
        say("SetLinkDefaultRoute", link, "yes" if yes else "no")

    @dbus.service.method(INTERFACE, in_signature="is")
    def SetLinkDNSSEC(self, link, mode):
        say("SetLinkDNSSEC", link, mode)

    @dbus.service.method(INTERFACE, in_signature="is")
    def SetLinkDNSOverTLS(self, link, mode):
        say("SetLinkDNSOverTLS", link, mode)

    @dbus.service.method(INTERFACE, in_signature="i")
    def RevertLink(self, link):
        say("RevertLink", link)


dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
bus = dbus.SystemBus()
name = dbus.service.BusName("org.freedesktop.resolve1", bus)
manager = Manager(bus, "/org/freedesktop/resolve1")
print("listening", flush=True)
GLib.MainLoop().run()
