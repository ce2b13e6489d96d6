"""What methods of actor detection share: base classes, losses, rules; nothing here is a method."""
