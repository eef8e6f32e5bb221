"""What our stand-ins for Pulumi's provider plugins share: process, protocol, and the rule of loopback only."""
