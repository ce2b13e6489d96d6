"""What methods of semi-supervised localization share: base classes, losses, rules; nothing here is a method."""
