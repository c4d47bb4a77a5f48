"""Exports a connector to Power Platform and Logic Apps: a folder as their own tools read it."""

from collections.abc import Mapping
from typing import Final

from smalt.connectors.definitions.vocabulary import Connector
from smalt.connectors.exports.destination import Destination
from smalt.connectors.exports.icon import icon
from smalt.connectors.exports.properties import api_properties
from smalt.connectors.exports.swagger import swagger
from smalt.connectors.exports.writing import Content

DEFINITION: Final = "apiDefinition.swagger.json"
PROPERTIES: Final = "apiProperties.json"
ICON: Final = "icon.png"
SETTINGS: Final = {
    "apiProperties": PROPERTIES,
    "apiDefinition": DEFINITION,
    "icon": ICON,
    "powerAppsUrl": "https://api.powerapps.com",
    "powerAppsApiVersion": "2016-11-01",
}
"""What the command line tool needs to know beside the environment, which it asks for."""


def power_platform(connector: Connector, destination: Destination) -> Mapping[str, Content]:
    """The files of a connector's folder."""
    return {
        DEFINITION: swagger(connector, destination),
        PROPERTIES: api_properties(connector, destination),
        ICON: icon(connector.brand_color),
        "settings.json": SETTINGS,
    }
