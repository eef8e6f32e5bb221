"""Serves the components of an installed wheel: `pulumi package add <site-packages>/scar_components`."""

from scar_components.plugin import serve

if __name__ == "__main__":
    serve()
