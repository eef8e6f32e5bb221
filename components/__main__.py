"""Serves the components to programs in any language: `pulumi package add ./components`."""

from scar_components.plugin import serve

if __name__ == "__main__":
    serve()
