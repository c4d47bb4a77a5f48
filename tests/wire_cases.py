"""The request that each action of each connector makes for given values."""

from wire_cases_azure import AZURE
from wire_cases_fusion import FUSION
from wire_cases_openai import OPENAI_GPT

CASES = [*OPENAI_GPT, *AZURE, *FUSION]
