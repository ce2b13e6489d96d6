"""Packed training: many configurations of one small network trained at once, their parameters stacked.

A network of a few hundred units leaves most of a processor idle: launching its operations costs more than computing
them. Stacked networks share the launches, the batches and the data, and every member gets the numbers it would have
got alone (to rounding: sums over features run in another order).
"""
