"""What methods of recognition share: base classes, losses, rules; nothing here is a method."""
