"""What is wrong with this dataset?"""

from garim.audit.audit import Audit, audit
from garim.audit.checks import CHECKS, Check
from garim.audit.settings import AuditSettings

__all__ = ["CHECKS", "Audit", "AuditSettings", "Check", "audit"]
