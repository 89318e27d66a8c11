"""Formulations, one file each; `search.formulation` names one."""
