internal import Rings
