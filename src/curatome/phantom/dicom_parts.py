"""The parts of a DICOM whole-slide instance that say what it is, without pixels or identifiers."""

from __future__ import annotations

from functools import lru_cache

from PIL import ImageCms
from pydicom.dataset import Dataset

_STAINS = {
    "H&E": (("12710003", "hematoxylin stain"), ("36879007", "water soluble eosin stain")),
    "DAB": (("12710003", "hematoxylin stain"), ("427079009", "diaminobenzidine stain")),
}
_DATE, _TIME = "20200102", "030405"


@lru_cache(maxsize=1)
def srgb_profile() -> bytes:
    """An ICC profile of sRGB, the same bytes at any time."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    # ICC.1:2022, 7.2: bytes 24 to 35 say when the profile was made.
    profile[24:36] = bytes([7, 228, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5])
    return bytes(profile + b"\0" * (len(profile) % 2))


def code(value: str, meaning: str, scheme: str = "SCT") -> Dataset:
    """A coded concept; SNOMED CT unless another scheme is named."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _step(name: Dataset, value: Dataset) -> Dataset:
    """A coded entry of a specimen's preparation."""
    item = Dataset()
    item.ValueType = "CODE"
    item.ConceptNameCodeSequence, item.ConceptCodeSequence = [name], [value]
    return item


def _specimen(name: str, stain: str) -> Dataset:
    item = Dataset()
    item.SpecimenIdentifier = name
    item.SpecimenUID = "2.25." + str(int.from_bytes(name.encode()[:15], "big"))
    item.IssuerOfTheSpecimenIdentifierSequence = []
    processing = code("P3-00003", "Staining", "SRT")
    prepared = Dataset()
    prepared.SpecimenPreparationStepContentItemSequence = [
        _step(code("111701", "Processing type", "DCM"), processing),
        *(_step(code("424361007", "Using substance"), code(*dye)) for dye in _STAINS[stain]),
    ]
    item.SpecimenPreparationSequence = [prepared]
    return item


def _optical_path() -> Dataset:
    path = Dataset()
    path.OpticalPathIdentifier = "0"
    path.OpticalPathDescription = "Brightfield"
    path.IlluminationTypeCodeSequence = [code("111744", "Brightfield illumination", "DCM")]
    path.IlluminationColorCodeSequence = [code("414298005", "Full Spectrum")]
    path.ICCProfile = srgb_profile()
    path.ColorSpace = "SRGB"
    return path


def describe_study(name: str, stain: str, scanner: str) -> Dataset:
    """Patient (nobody), study, equipment, container and specimen.

    Args:
        name: container identifier.
        stain: `H&E` or `DAB`.
        scanner: model name of the maker.
    """
    d = Dataset()
    d.SpecificCharacterSet = "ISO_IR 192"
    d.PatientName, d.PatientID, d.PatientBirthDate, d.PatientSex = "", "", "", ""
    d.StudyID, d.AccessionNumber, d.ReferringPhysicianName = "1", "", ""
    d.StudyDate, d.StudyTime = _DATE, _TIME
    d.ContentDate, d.ContentTime, d.AcquisitionDateTime = _DATE, _TIME, _DATE + _TIME
    d.Modality, d.SeriesNumber, d.PositionReferenceIndicator = "SM", 1, "SLIDE_CORNER"
    d.Manufacturer, d.ManufacturerModelName = "Curatome phantom", scanner
    d.DeviceSerialNumber, d.SoftwareVersions = "0", "1"
    d.VolumetricProperties = "VOLUME"
    d.AcquisitionContextSequence = []
    d.ContainerIdentifier = name
    d.IssuerOfTheContainerIdentifierSequence = []
    d.ContainerTypeCodeSequence = [code("433466003", "Microscope slide")]
    d.SpecimenDescriptionSequence = [_specimen(name, stain)]
    return d


def describe_frames(
    d: Dataset, size: tuple[int, int], mpp: tuple[float, float], tile: tuple[int, int]
) -> None:
    """Add matrix, tiles, spacing, dimensions and optical path.

    Args:
        d: the data set, with its `ImageType`.
        size: width and height of the whole matrix, px.
        mpp: µm per pixel to the right and down.
        tile: width and height of a tile, px.
    """
    across, down = -(-size[0] // tile[0]), -(-size[1] // tile[1])
    d.TotalPixelMatrixColumns, d.TotalPixelMatrixRows = size
    d.Columns, d.Rows = tile
    d.NumberOfFrames = across * down
    d.ImagedVolumeWidth = size[0] * mpp[0] / 1000
    d.ImagedVolumeHeight = size[1] * mpp[1] / 1000
    d.ImagedVolumeDepth = 0.004
    d.TotalPixelMatrixFocalPlanes, d.NumberOfOpticalPaths = 1, 1
    d.SamplesPerPixel, d.PhotometricInterpretation, d.PlanarConfiguration = 3, "YBR_FULL_422", 0
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 8, 8, 7, 0
    d.LossyImageCompression, d.LossyImageCompressionMethod = "01", "ISO_10918_1"
    d.FocusMethod, d.ExtendedDepthOfField = "AUTO", "NO"
    d.ImageOrientationSlide = [0, -1, 0, -1, 0, 0]
    origin = Dataset()
    origin.XOffsetInSlideCoordinateSystem, origin.YOffsetInSlideCoordinateSystem = 20.0, 40.0
    d.TotalPixelMatrixOriginSequence = [origin]
    d.OpticalPathSequence = [_optical_path()]
    d.DimensionOrganizationType = "TILED_FULL"
    d.DimensionOrganizationSequence = [Dataset()]
    measures, kind, path, shared = Dataset(), Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = [f"{mpp[1] / 1000:.8g}", f"{mpp[0] / 1000:.8g}"]
    measures.SliceThickness, measures.SpacingBetweenSlices = "0.004", "0.004"
    kind.FrameType = d.ImageType
    path.OpticalPathIdentifier = "0"
    shared.PixelMeasuresSequence = [measures]
    shared.WholeSlideMicroscopyImageFrameTypeSequence = [kind]
    shared.OpticalPathIdentificationSequence = [path]
    d.SharedFunctionalGroupsSequence = [shared]
