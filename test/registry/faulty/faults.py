"""Faults of single requests, by pattern: what answers instead of the registry."""
import re

from faulty.wire import ACTIONS, Reply


class Faults:
    """The list "faults" of a profile, and how often each has come."""

    def __init__(self, faults):
        self._faults = [dict(fault, pattern=re.compile(fault["path"]), seen=0, given=0)
                        for fault in faults]
        for fault in faults:
            if fault.get("action", "close") not in ACTIONS:
                raise ValueError(f"unknown action: {fault['action']}")

    def of(self, request):
        """The fault that this request meets, or None."""
        for fault in self._faults:
            if fault.get("method", request.method) != request.method:
                continue
            if not fault["pattern"].fullmatch(request.path):
                continue
            fault["seen"] += 1
            if fault["seen"] <= fault.get("after", 0):
                continue
            if "times" in fault and fault["given"] >= fault["times"]:
                continue
            fault["given"] += 1
            return fault
        return None

    @staticmethod
    def apply(fault, answer):
        """The answer with the fault; answer is called only where the fault needs it."""
        if "action" in fault:
            reply = answer()
            reply.action = fault["action"]
            return reply
        if "status" not in fault:
            reply = answer()
            for name, value in fault.get("headers", {}).items():
                reply.add(name, value)
            return reply
        return Reply(fault["status"], list(fault.get("headers", {}).items()),
                     fault.get("body", "").encode())
