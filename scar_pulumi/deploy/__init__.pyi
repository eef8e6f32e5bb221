from .program import deploy as deploy
