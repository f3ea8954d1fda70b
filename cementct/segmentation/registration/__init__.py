"""Vertebra by vertebra, the rigid movement between the pre- and the post-injection scan."""

from cementct.segmentation.registration.carry import carry_hu, carry_region, carry_region_back, carry_share
from cementct.segmentation.registration.spines import register_spines

__all__ = ["carry_hu", "carry_region", "carry_region_back", "carry_share", "register_spines"]
