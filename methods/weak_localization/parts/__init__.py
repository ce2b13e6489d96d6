"""What methods of weak localization share: base classes, losses, rules; nothing here is a method."""
