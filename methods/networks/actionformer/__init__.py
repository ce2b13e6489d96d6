"""ActionFormer (Zhang et al., ECCV 2022): network, targets, losses, decoding and data preparation."""
