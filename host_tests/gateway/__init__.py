"""The gateway: its cores alone, and the whole of it between real peers."""
