import { packLookAlikeClass } from '../plates/look-alike.js'
import { normalisePlate } from '../plates/text.js'

/*
 * Texts that readers deliver day after day without there being such a plate: words painted on vehicles and signs, names of
 * states that plates bear, and what clerks enter for want of a plate. An entry that is one of them, or looks like one,
 * would stop people who have nothing to do with it. (Owners of plates such as NO PLATE have got the fines of thousands.)
 */
const words = `
  AIRPORT AMBULANCE AMAZON BUICK BUS CADILLAC CHEVROLET CHEVY CHRYSLER CITYBUS DEALER DODGE EXIT FEDEX FIRE FORD GMC
  HONDA HYUNDAI JEEP KIA LEXUS MAZDA MERCEDES NISSAN ONEWAY PARKING POLICE RAM RENTAL SCHOOL SCHOOLBUS SHERIFF SLOW
  SPEED STOP SUBARU TAXI TESLA TOW TOYOTA TRANSIT TRUCK UHAUL UPS USPS VOLVO
  ALABAMA ALASKA ARIZONA ARKANSAS CALIFORNIA COLORADO CONNECTICUT DELAWARE FLORIDA GEORGIA HAWAII IDAHO ILLINOIS INDIANA
  IOWA KANSAS KENTUCKY LOUISIANA MAINE MARYLAND MICHIGAN MINNESOTA MISSISSIPPI MISSOURI MONTANA NEBRASKA NEVADA
  NEWHAMPSHIRE NEWJERSEY NEWMEXICO NEWYORK NORTHDAKOTA OHIO OKLAHOMA OREGON PENNSYLVANIA RHODEISLAND SOUTHDAKOTA TENNESSEE
  TEXAS UTAH VERMONT VIRGINIA WASHINGTON WESTVIRGINIA WISCONSIN WYOMING ONTARIO QUEBEC
  NA NEW NOLICENSE NONE NOPLATE NOPLATES NOTAG NOTAGS PAPER STOLEN TEMP TEMPTAG TEST UNK UNKNOWN VOID
  000000 0000000 111111 1111111 123456 1234567 999999 9999999 AAA000 AAA0000 AAA111 AAA1111 ABC123 ABC1234 ABCDEF
  XXXXXX XXXXXXX XXX000 XXX0000 ZZZ999 ZZZ9999
`

/** Common texts by the key of their look-alike class, with those that the configuration adds, such as a city's own buses. */
export function commonTexts(more: Iterable<string> = []): ReadonlyMap<bigint, string> {
  const found = new Map<bigint, string>()
  for (const text of [...words.trim().split(/\s+/), ...more]) {
    const plate = normalisePlate(text)
    if ('text' in plate) found.set(packLookAlikeClass(plate.text), plate.text)
  }
  return found
}
