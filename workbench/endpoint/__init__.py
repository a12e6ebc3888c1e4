"""What bounds one request of a Django project, and which fix pays: predicted, then tried on a copy.

`study_endpoint` starts the project in its own interpreter, on a copy of its database, makes the request, and says where
its time goes. What it finds is tried: each fix beside the project as it is, requests alternated, answers compared.
"""

from workbench.endpoint.api import study_endpoint

__all__ = ["study_endpoint"]
