"""Boundary-matching network (Lin et al., ICCV 2019): network, sampling, targets, losses and proposals."""
