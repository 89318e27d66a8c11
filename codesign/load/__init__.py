"""From a name on disk to a checked thing: YAML to dataclass, file name to class or path.

The only room that knows YAML and pydantic. Whatever a person may have got wrong raises an
`InputError` that names the place, the fault and the nearest right name.
"""

from codesign.load.members import member, names
from codesign.load.resources import resource_folder, resource_names, resource_path
from codesign.load.schema import build, override
from codesign.load.text import Tree, read_yaml, yaml_text

__all__ = [
    "Tree",
    "build",
    "member",
    "names",
    "override",
    "read_yaml",
    "resource_folder",
    "resource_names",
    "resource_path",
    "yaml_text",
]
