"""Roles as data: whether somebody may do something. A `rules` list is the one of a Role, read from its YAML."""


class Rules:
    """What a user may do; None is everything."""

    def __init__(self, user="admin", rules=None, namespaces=None):
        self.user = user
        self.rules = rules
        self.namespaces = namespaces

    def allow(self, verb, group, resource, subresource="", namespace="", name=""):
        """Tell whether a verb is allowed."""
        if self.rules is None:
            return True
        if self.namespaces is not None and namespace not in self.namespaces:
            return False
        wanted = f"{resource}/{subresource}" if subresource else resource
        return any(self._grants(one, verb, group, wanted, name) for one in self.rules)

    @staticmethod
    def _grants(rule, verb, group, wanted, name):
        def has(field, value):
            return {value, "*"} & set(rule.get(field) or ())

        named = rule.get("resourceNames")
        return (
            has("verbs", verb) and has("apiGroups", group) and has("resources", wanted) and (not named or name in named)
        )

    def refusal(self, verb, resource, subresource, namespace, name):
        """Return the server's sentence."""
        what = f"{resource.plural}/{subresource}" if subresource else resource.plural
        kind = f"{resource.plural}.{resource.group}" if resource.group else resource.plural
        named = f'{kind} "{name}"' if name else kind
        said = f'User "{self.user}" cannot {verb} resource "{what}" in API group "{resource.group}"'
        return f'{named} is forbidden: {said} in the namespace "{namespace}"'
