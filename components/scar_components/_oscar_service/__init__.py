"""Services of OSCAR over its REST interface: https://docs.oscar.grycap.net/api/."""
